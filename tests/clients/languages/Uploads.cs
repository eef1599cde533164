// A program as people wrote them in .NET: ADAL signs in, Microsoft.Azure.Storage.File 10.0 uploads, and the manager is asked
// through Microsoft.Rest's ServiceClient handlers, as every generated client of the time did.
//
// Usage: dotnet Uploads.dll SCRIPT. The steps of the Batch AI sample for .NET in the shape of 2018-05-01.

using System;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Threading;
using Microsoft.Azure.Storage;
using Microsoft.Azure.Storage.Auth;
using Microsoft.Azure.Storage.File;
using Microsoft.IdentityModel.Clients.ActiveDirectory;
using Newtonsoft.Json.Linq;

class Uploads
{
    const string AI = "2018-05-01";
    static readonly string Subscription =
        "https://management.azure.com/subscriptions/" + Environment.GetEnvironmentVariable("AZURE_SUBSCRIPTION_ID");
    static readonly string Group = Subscription + "/resourcegroups/learning";
    static readonly HttpClient Client = new HttpClient();

    static HttpResponseMessage Ask(string method, string url, string version, JObject body = null)
    {
        var joined = version == null ? url : url + (url.Contains("?") ? "&" : "?") + "api-version=" + version;
        var request = new HttpRequestMessage(new HttpMethod(method), joined);
        request.Headers.TryAddWithoutValidation("x-ms-client-request-id", Guid.NewGuid().ToString());
        request.Headers.TryAddWithoutValidation("accept-language", "en-US");
        request.Headers.ExpectContinue = false;
        if (body != null)
        {
            request.Content = new StringContent(body.ToString(), Encoding.UTF8);
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse("application/json; charset=utf-8");
        }
        var answer = Client.SendAsync(request).GetAwaiter().GetResult();
        if ((int)answer.StatusCode >= 400)
        {
            Console.WriteLine(method + " " + (int)answer.StatusCode + " " + Text(answer));
        }
        return answer;
    }

    static string Text(HttpResponseMessage answer)
    {
        return answer.Content.ReadAsStringAsync().GetAwaiter().GetResult();
    }

    static void Wait(HttpResponseMessage begun)
    {
        if (begun.Headers.Contains("Azure-AsyncOperation"))
        {
            var url = string.Join("", begun.Headers.GetValues("Azure-AsyncOperation"));
            while ((string)JObject.Parse(Text(Ask("GET", url, null)))["status"] == "InProgress")
            {
                Thread.Sleep(100);
            }
        }
        else if (begun.StatusCode == HttpStatusCode.Accepted)
        {
            while (Ask("GET", begun.Headers.Location.ToString(), null).StatusCode == HttpStatusCode.Accepted)
            {
                Thread.Sleep(100);
            }
        }
    }

    static JObject Put(string url, string version, string body)
    {
        Wait(Ask("PUT", url, version, JObject.Parse(body)));
        return JObject.Parse(Text(Ask("GET", url, version)));
    }

    static void Main(string[] arguments)
    {
        var script = arguments[0];
        var name = Path.GetFileName(script);
        // As the file at AZURE_AUTH_LOCATION says, which the sample signs in with.
        var known = JObject.Parse(File.ReadAllText(Environment.GetEnvironmentVariable("AZURE_AUTH_LOCATION")));
        var context = new AuthenticationContext(known["activeDirectoryEndpointUrl"] + "/" + known["tenantId"], true);
        var who = new ClientCredential((string)known["clientId"], (string)known["clientSecret"]);
        var token = context.AcquireTokenAsync((string)known["managementEndpointUrl"], who).GetAwaiter().GetResult();
        Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token.AccessToken);

        Console.WriteLine("group " + Put(Group, "2018-05-01", "{location: 'westus2'}")["name"]);
        var store = Group + "/providers/Microsoft.Storage/storageAccounts/sharps";
        Put(store, "2018-11-01", "{location: 'westus2', sku: {name: 'Standard_GRS'}, kind: 'StorageV2', properties: {}}");
        var keys = JObject.Parse(Text(Ask("POST", store + "/listKeys", "2018-11-01")));
        var key = (string)keys["keys"][0]["value"];
        var account = new CloudStorageAccount(new StorageCredentials("sharps", key), true);
        var share = account.CreateCloudFileClient().GetShareReference("lessons");
        share.CreateAsync().GetAwaiter().GetResult();
        var folder = share.GetRootDirectoryReference().GetDirectoryReference("digits");
        folder.CreateAsync().GetAwaiter().GetResult();
        folder.GetFileReference(name).UploadFromFileAsync(script).GetAwaiter().GetResult();
        var listed = folder.ListFilesAndDirectoriesSegmentedAsync(null).GetAwaiter().GetResult();
        foreach (var item in listed.Results)
        {
            Console.WriteLine("file " + ((CloudFile)item).Name + " " + ((CloudFile)item).Properties.Length);
        }

        var space = Group + "/providers/Microsoft.BatchAI/workspaces/space";
        Put(space, AI, "{location: 'westus2'}");
        Put(space + "/experiments/tries", AI, "{}");
        var mount = "{accountName: 'sharps', azureFileUrl: '" + share.Uri + "', relativeMountPath: 'azurefileshare', "
            + "credentials: {accountKey: '" + key + "'}}";
        var cluster = Put(space + "/clusters/nodes", AI, "{properties: {vmSize: 'STANDARD_NC6', "
            + "userAccountSettings: {adminUserName: 'tirekicker', adminUserPassword: 'MyPassword'}, "
            + "scaleSettings: {autoScale: {minimumNodeCount: 0, maximumNodeCount: 2, initialNodeCount: 0}}, "
            + "nodeSetup: {mountVolumes: {azureFileShares: [" + mount + "]}}}}");
        Console.WriteLine("cluster " + cluster["properties"]["provisioningState"]);
        var root = "$AZ_BATCHAI_MOUNT_ROOT/azurefileshare";
        var job = space + "/experiments/tries/jobs/myJob";
        Put(job, AI, "{properties: {cluster: {id: '" + cluster["id"] + "'}, nodeCount: 1, stdOutErrPathPrefix: '" + root
            + "', inputDirectories: [{id: 'LESSON', path: '" + root + "/digits'}]"
            + ", outputDirectories: [{id: 'MODEL', pathPrefix: '" + root + "/model'}]"
            + ", containerSettings: {imageSourceRegistry: {image: 'microsoft/cntk:2.1-gpu-python3.5-cuda8.0-cudnn6.0'}}"
            + ", customToolkitSettings: {commandLine: 'sh $AZ_BATCHAI_INPUT_LESSON/" + name + " $AZ_BATCHAI_OUTPUT_MODEL'}}}");
        var state = "queued";
        while (state != "succeeded" && state != "failed")
        {
            Thread.Sleep(100);
            state = (string)JObject.Parse(Text(Ask("GET", job, AI)))["properties"]["executionState"];
        }
        Console.WriteLine("job " + state);
        var query = "?outputdirectoryid=MODEL&directory=.&linkexpiryinminutes=60&maxresults=1000";
        foreach (var file in JObject.Parse(Text(Ask("POST", job + "/listOutputFiles" + query, AI)))["value"])
        {
            var link = new CloudFile(new Uri((string)file["downloadUrl"]));
            Console.WriteLine("model " + link.DownloadTextAsync().GetAwaiter().GetResult().Trim());
        }
        Wait(Ask("DELETE", Group, "2018-05-01"));
        Console.WriteLine("left " + JObject.Parse(Text(Ask("GET", Subscription + "/resourcegroups", "2018-05-01")))["value"]);
    }
}
